-- Makes a young database: two months, with one missing between them.
DROP TABLE chatbot.conversations_2024_09, chatbot.conversations_2024_11, chatbot.conversations_2025_01,
chatbot.conversations_2025_02, chatbot.conversations_2025_03;
