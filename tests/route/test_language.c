/* tests/route/test_language.c - sentences that are not in the table's sample words. */
#include <string.h>

#include "route/language.h"
#include "test.h"

static const char *const sentences[][2] = {
    { "en", "Please tell me which train leaves for the coast this evening" },
    { "de", "Welcher Zug fährt heute Abend an die Küste, und wo muss ich umsteigen?" },
    { "fr", "Quel train part pour la côte ce soir et où dois-je changer ?" },
    { "es", "¿Qué tren sale esta tarde hacia la costa y dónde tengo que cambiar?" },
    { "it", "Quale treno parte stasera per la costa e dove devo cambiare?" },
    { "pt", "Qual é o trem que sai hoje à noite para o litoral e onde preciso trocar?" },
    { "nl", "Welke trein vertrekt vanavond naar de kust en waar moet ik overstappen?" },
    { "sv", "Vilket tåg går till kusten ikväll och var måste jag byta?" },
    { "fi", "Mikä juna lähtee tänä iltana rannikolle ja missä minun täytyy vaihtaa?" },
    { "pl", "Który pociąg odjeżdża dziś wieczorem na wybrzeże i gdzie muszę się przesiąść?" },
    { "cs", "Který vlak jede dnes večer k moři a kde musím přestoupit?" },
    { "hu", "Melyik vonat indul ma este a tengerpartra, és hol kell átszállnom?" },
    { "ro", "Ce tren pleacă în seara asta spre coastă și unde trebuie să schimb?" },
    { "tr", "Bu akşam sahile hangi tren kalkıyor ve nerede aktarma yapmam gerekiyor?" },
    { "vi", "Tối nay chuyến tàu nào đi ra bờ biển và tôi phải đổi tàu ở đâu?" },
    { "id", "Kereta mana yang berangkat ke pantai malam ini dan di mana saya harus pindah?" },
    { "ru", "Какой поезд идёт сегодня вечером к морю и где мне нужно пересесть?" },
    { "uk", "Який потяг їде сьогодні ввечері до моря і де мені треба пересісти?" },
    { "bg", "Кой влак тръгва тази вечер за морето и къде трябва да се прекача?" },
    { "ar", "أي قطار يغادر إلى الساحل هذا المساء وأين يجب أن أغير القطار" },
    { "fa", "کدام قطار امشب به ساحل می‌رود و کجا باید قطار را عوض کنم" },
    { "he", "איזו רכבת יוצאת הערב לחוף" }, { "hi", "आज शाम कौन सी ट्रेन जाती है" }, { "th", "คืนนี้มีรถไฟขบวนไหน" },
    { "ja", "今夜海岸行きの電車はどれですか" }, { "zh", "今晚哪趟火车去海边" }, { "ko", "오늘 저녁 해안으로 가는 기차는" },
};

TEST(most_sentences_find_their_language)
{
    const int n = sizeof(sentences) / sizeof(sentences[0]);
    int n_right = 0;
    for (int i = 0; i < n; i++) {
        struct language_guess g;
        language_guess(sentences[i][1], strlen(sentences[i][1]), &g);
        if (strcmp(g.code, sentences[i][0]) == 0)
            n_right++;
        else
            printf("# %s: %s %.2f\n", sentences[i][0], g.code, (double)g.confidence);
    }
    CHECK(n_right >= n - 3, "%d of %d", n_right, n);
}

TEST(what_is_no_language_is_und)
{
    static const char *const t[] = { "", "12345 + 67", "?!", "ab" };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct language_guess g;
        language_guess(t[i], strlen(t[i]), &g);
        CHECK(strcmp(g.code, "und") == 0 && g.confidence == 0, "'%s': %s", t[i], g.code);
    }
}
